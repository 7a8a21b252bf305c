/** The kill switch, as far as this service needs it. Guarantee: what is set anywhere on the bus is known here within a second. */
export interface Switches {
  /** Why a call of this tool by this agent may not be made, in words; undefined: nobody has stopped it. */
  stop(what: { tenant: string; agent: string; tool: string }): string | undefined;
}
