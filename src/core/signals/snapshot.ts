/** Counters and gauges of a node at one moment: telemetry reads them, the simulator models them. */

/** Counters of one block device since boot. Times in seconds. */
export interface DiskCounters {
  readonly reads: number;
  readonly writes: number;
  readonly readSeconds: number;
  readonly writeSeconds: number;
  readonly ioSeconds: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** One reading of a node. Values that its source does not have are undefined. */
export interface CounterSnapshot {
  /** Epoch ms. */
  readonly atMs: number;
  /** The same moment on a monotonic clock, in ms: differences are right even when the time is corrected. */
  readonly steadyMs: number;
  /** The disk that holds the images, if it is known. */
  readonly imageDevice: string | undefined;
  /**
   * Disks on which a whole file system of other data is mounted. They are no part of a volume that holds the images.
   */
  readonly dataDisks: ReadonlySet<string>;
  readonly disks: ReadonlyMap<string, DiskCounters>;
  readonly dirtyBytes: number | undefined;
  readonly writebackBytes: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly ioPressureSeconds: number | undefined;
  readonly cpuPressureSeconds: number | undefined;
  readonly load1: number | undefined;
  readonly cores: number | undefined;
}
