/** Computes all speeds from the active tasks. A pure function, called whenever something changes. */

/** Fixed figures of one node, in bytes and ms. */
export interface Capacity {
  /** The device's write speed, with the IOPS limit applied, in bytes per ms. */
  readonly writePerMs: number;
  /** The separate limit of reads, in bytes per ms; undefined: reads and writes share the device. */
  readonly readPerMs: number | undefined;
  readonly requestBytes: number;
  readonly idleAwaitMs: number;
  readonly writebackQueue: number;
  readonly queuePerWaiter: number;
  readonly maxQueue: number;
  readonly flushShare: number;
  /** Dirty bytes at which writers are throttled. */
  readonly dirtyLimitBytes: number;
  /**
   * The kernel writes from the limit down to this many bytes, if flushes do not take everything along. 0: it writes
   * whenever anything is dirty.
   */
  readonly backgroundBytes: number;
  readonly memoryPerMs: number;
  readonly unpackPerMs: number;
  readonly registryPerMs: number;
  readonly downloadPerMs: number;
  readonly cores: number;
}

/** The number of active tasks of each kind. */
export interface Active {
  readonly downloads: number;
  readonly unpacks: number;
  readonly smallWrites: number;
  /** Tasks that need pages of programs. These are in memory unless the page cache is full. */
  readonly faults: number;
  readonly reads: number;
  readonly work: number;
  readonly flushes: number;
  readonly syncs: number;
  readonly dirtyBytes: number;
  /** The device writes dirty pages now. */
  readonly writing: boolean;
}

/** Progress per ms: of one task of each kind, and of the disk as a whole. */
export interface Rates {
  download: number;
  unpack: number;
  smallWrite: number;
  fault: number;
  read: number;
  work: number;
  flush: number;
  sync: number;
  /** Bytes per ms that become dirty. */
  inflow: number;
  /** Bytes per ms that reach the disk. */
  written: number;
  /** Bytes per ms that are read from the disk. */
  readTotal: number;
  /** True if writers are throttled to the device's rate. */
  throttled: boolean;
  /** Share of time the device is busy, 0 to 1. */
  busy: number;
  /** Mean number of requests in the queue. */
  queue: number;
  awaitMs: number;
  /** Tasks that want a core, and tasks that wait for the disk. */
  runnable: number;
  blocked: number;
}

export function idleRates(): Rates {
  return {
    download: 0,
    unpack: 0,
    smallWrite: 0,
    fault: 0,
    read: 0,
    work: 0,
    flush: 0,
    sync: 0,
    inflow: 0,
    written: 0,
    readTotal: 0,
    throttled: false,
    busy: 0,
    queue: 0,
    awaitMs: 0,
    runnable: 0,
    blocked: 0,
  };
}

/** Fills `rates` for the active tasks. It is an argument, not a result, because this runs millions of times. */
export function computeRates(capacity: Capacity, active: Active, rates: Rates): void {
  const left = shareDevice(capacity, active, rates);
  freeWriters(capacity, active, rates);
  const writePerMs = limitWriters(capacity, active, left, rates);
  rates.written = writtenPerMs(active, writePerMs, rates.inflow);
  shareCores(capacity, active, rates);
  queueOf(capacity, active, writePerMs, rates);
  rates.flush = writePerMs * (rates.inflow > 0 ? Math.min(1, capacity.flushShare) : 1);
  rates.sync = 1 / rates.awaitMs;
}

/** Dirty bytes are written at the device's speed. If nothing is dirty, new bytes are written as they come in. */
function writtenPerMs({ writing, dirtyBytes }: Active, writePerMs: number, inflow: number): number {
  if (!writing) return 0;
  return dirtyBytes > 0 ? writePerMs : Math.min(writePerMs, inflow);
}

/**
 * Reads share the device equally; writeback counts as one more reader. Returns what is left for writes, in bytes per
 * ms.
 */
function shareDevice(capacity: Capacity, active: Active, rates: Rates): number {
  const { reads } = active;
  const writers = active.downloads + active.unpacks + active.smallWrites;
  const writing = active.writing && (active.dirtyBytes > 0 || writers > 0);
  const shared = capacity.readPerMs === undefined;
  const share = writing ? reads / (reads + 1) : 1;
  rates.readTotal = reads === 0 ? 0 : shared ? capacity.writePerMs * share : capacity.readPerMs;
  rates.read = reads === 0 ? 0 : rates.readTotal / reads;
  return shared ? capacity.writePerMs - (writing ? rates.readTotal : 0) : capacity.writePerMs;
}

/** The writers' speeds while the page cache takes everything. */
function freeWriters(capacity: Capacity, active: Active, rates: Rates): void {
  const wanting = active.unpacks + active.work;
  rates.unpack = capacity.unpackPerMs * Math.min(1, capacity.cores / Math.max(1, wanting));
  rates.download = Math.min(capacity.downloadPerMs, capacity.registryPerMs / Math.max(1, active.downloads));
  rates.smallWrite = capacity.memoryPerMs;
  rates.fault = capacity.memoryPerMs;
}

/**
 * At the dirty limit, the writers share the device's speed equally, but none gets more than it asks for. A task that
 * reads evicted pages gets an equal share, too. Returns what the device has for writes, in bytes per ms.
 */
function limitWriters(capacity: Capacity, active: Active, left: number, rates: Rates): number {
  const { downloads, unpacks, smallWrites, faults } = active;
  const demand = downloads * rates.download + unpacks * rates.unpack + smallWrites * rates.smallWrite;
  rates.throttled = active.dirtyBytes >= capacity.dirtyLimitBytes && demand > left;
  rates.inflow = demand;
  if (!rates.throttled) return left;
  const share = equalShare(left, [
    [downloads, rates.download],
    [unpacks, rates.unpack],
    [smallWrites, rates.smallWrite],
    [faults, rates.fault],
  ]);
  rates.download = Math.min(rates.download, share);
  rates.unpack = Math.min(rates.unpack, share);
  rates.smallWrite = Math.min(rates.smallWrite, share);
  rates.fault = Math.min(rates.fault, share);
  const faulted = faults * rates.fault;
  rates.readTotal += faulted;
  rates.inflow = left - faulted;
  return rates.inflow;
}

/**
 * The share at which the claims `[count, most]` together take exactly `total` (max-min fairness). The claims exceed
 * `total`.
 */
function equalShare(total: number, claims: [count: number, most: number][]): number {
  claims.sort((a, b) => a[1] - b[1]);
  let left = total;
  let count = claims.reduce((sum, claim) => sum + claim[0], 0);
  for (const [members, most] of claims) {
    if (most * count >= left) return left / count;
    left -= members * most;
    count -= members;
  }
  return Infinity;
}

/** All other work shares the cores that unpacking leaves free. A task gets one core at most. */
function shareCores(capacity: Capacity, active: Active, rates: Rates): void {
  const { work, unpacks } = active;
  const unpackCores = (unpacks * rates.unpack) / capacity.unpackPerMs;
  const fair = (capacity.cores * work) / Math.max(1, work + unpacks);
  const free = Math.max(capacity.cores - unpackCores, fair);
  rates.work = work === 0 ? 0 : Math.min(1, free / work);
  rates.runnable = work + (rates.throttled ? unpackCores : unpacks);
  rates.blocked = active.flushes + active.syncs + active.reads + active.smallWrites + active.faults;
  if (rates.throttled) rates.blocked += active.downloads + unpacks - unpackCores;
}

/**
 * The queue at the device. It is short while the device keeps up; otherwise it is writeback's own queue plus what the
 * waiters add.
 */
function queueOf(capacity: Capacity, active: Active, writePerMs: number, rates: Rates): void {
  const serviceMs = capacity.requestBytes / capacity.writePerMs;
  const saturated = active.writing && (active.dirtyBytes > 0 || rates.inflow > writePerMs);
  rates.busy = saturated || active.reads > 0 ? 1 : rates.written / capacity.writePerMs;
  if (active.syncs > 0) rates.busy = Math.max(rates.busy, 0.5);
  const waiters =
    active.flushes +
    active.syncs +
    (rates.throttled ? active.downloads + active.unpacks + active.smallWrites + active.faults : 0);
  const queued = Math.min(capacity.maxQueue, capacity.writebackQueue + capacity.queuePerWaiter * waiters);
  rates.awaitMs = capacity.idleAwaitMs + (saturated ? queued * serviceMs : active.reads * serviceMs);
  rates.queue = saturated ? queued : rates.busy;
}
