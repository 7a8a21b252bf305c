/** Colours, on a terminal alone (and not with NO_COLOR). */
import { styleText } from 'node:util';

type Paint = (text: string) => string;
const paint =
  (format: Parameters<typeof styleText>[0]): Paint =>
  (text) =>
    styleText(format, text, { stream: process.stdout });

export const bold = paint('bold');
export const dim = paint('dim');
export const red = paint('red');
export const green = paint('green');
export const yellow = paint('yellow');
export const cyan = paint('cyan');

/** Home as `~`, and what is below the working folder relative to it. */
export function shortPath(path: string, cwd = process.cwd(), home = process.env.HOME): string {
  if (path === cwd) return '.';
  if (path.startsWith(`${cwd}/`)) return path.slice(cwd.length + 1);
  return home && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
