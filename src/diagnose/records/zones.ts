/** Names of time zones, as `date` and journalctl print them. */

/**
 * Minutes ahead of UTC. Where a name has several meanings, the one with most clusters: CST is Chicago's, IST India's.
 */
const minutes: Readonly<Record<string, number>> = {
  UTC: 0,
  GMT: 0,
  Z: 0,
  WET: 0,
  WEST: 60,
  BST: 60,
  CET: 60,
  CEST: 120,
  EET: 120,
  EEST: 180,
  MSK: 180,
  SAST: 120,
  EST: -300,
  EDT: -240,
  CST: -360,
  CDT: -300,
  MST: -420,
  MDT: -360,
  PST: -480,
  PDT: -420,
  AKST: -540,
  AKDT: -480,
  BRT: -180,
  ART: -180,
  CLT: -240,
  HST: -600,
  IST: 330,
  PKT: 300,
  WIB: 420,
  ICT: 420,
  SGT: 480,
  HKT: 480,
  ...{
    JST: 540,
    KST: 540,
    AWST: 480,
    ACST: 570,
    AEST: 600,
    AEDT: 660,
    NZST: 720,
    NZDT: 780,
    TRT: 180,
    MEZ: 60,
    MESZ: 120,
  },
};

/** ms ahead of UTC of `CET`, `+0100`, `+01:00`, `-03` or `Z`; undefined when it is the name of no zone. */
export function zoneMs(text: string): number | undefined {
  const named = minutes[text];
  if (named !== undefined) return named * 60_000;
  const [, sign, hours, rest] = /^([+-])(\d\d):?(\d\d)?$/.exec(text) ?? [];
  if (hours === undefined) return undefined;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(rest ?? 0)) * 60_000;
}
