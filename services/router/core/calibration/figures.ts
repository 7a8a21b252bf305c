/** How good scores are as predictions of labels (0 to 1, shares among them). */

/** Chance that a row that came true has the higher score of two; ties count half (Mann and Whitney). NaN: all labels are the same. */
export function areaUnderCurve(scores: readonly number[], labels: readonly number[]): number {
  const order = scores.map((_, at) => at).sort((a, b) => scores[a]! - scores[b]!);
  let [below, wins] = [0, 0];
  for (let from = 0; from < order.length; ) {
    let to = from;
    let [positive, negative] = [0, 0];
    for (; to < order.length && scores[order[to]!] === scores[order[from]!]; to++) {
      positive += labels[order[to]!]!;
      negative += 1 - labels[order[to]!]!;
    }
    wins += positive * (below + negative / 2);
    below += negative;
    from = to;
  }
  const positives = labels.reduce((sum, label) => sum + label, 0);
  return wins / (positives * below);
}

/** How far what is said is from what comes true, in groups of equally many by score: the mean over the groups. */
export function calibrationError(scores: readonly number[], labels: readonly number[], groups = 10): number {
  const order = scores.map((_, at) => at).sort((a, b) => scores[a]! - scores[b]!);
  let sum = 0;
  for (let group = 0; group < groups; group++) {
    const members = order.slice(
      Math.round((group * order.length) / groups),
      Math.round(((group + 1) * order.length) / groups),
    );
    sum += Math.abs(members.reduce((total, at) => total + scores[at]! - labels[at]!, 0));
  }
  return sum / order.length;
}

/** Mean of the squared distances. */
export function brierScore(scores: readonly number[], labels: readonly number[]): number {
  return scores.reduce((sum, score, at) => sum + (score - labels[at]!) ** 2, 0) / scores.length;
}
