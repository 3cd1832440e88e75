/**
 * Why a call could not be recorded before it ran, or its event not be stored at its end.
 *
 * - `full`: as many bytes lie in the spool as may
 * - `error`: the disk or the system says no
 * - `slow`: the disk did not answer in time
 * - `closed`: the publisher is closed
 */
export type UnrecordableReason = "full" | "error" | "slow" | "closed";

/** Why an event is set aside: Kafka refuses it whatever the time, or what is stored is damaged. */
export type AsideReason = "too_large" | "invalid_record" | "invalid_event" | "damaged";

/** What a spool has done since its creation, and how it is. */
export interface SpoolStats {
  /** Events of this process that are in the spool and not delivered yet. */
  readonly stored: number;
  /** Their bytes. */
  readonly storedBytes: number;
  /** How long ago the call of the oldest of these events began, in milliseconds, exact to 10 s. 0 if there is none. */
  readonly oldestStoredMs: number;
  /** For how long the oldest write has been waiting for the disk, in milliseconds. 0 if none is. */
  readonly writeDelayMs: number;
  /** Calls and events that are not in the spool, by reason. */
  readonly unrecorded: Readonly<Partial<Record<UnrecordableReason, number>>>;
  /** Of these calls, how many were refused. */
  readonly refused: number;
  /** Events of processes that have died, which were delivered by this one. */
  readonly recovered: number;
  /** Calls of processes that have died, which had not ended. */
  readonly interrupted: number;
  /** Runs of processes that have died, which were closed by this one. */
  readonly closedRuns: number;
  /** Events that cannot be delivered, by reason. They are kept on the disk. */
  readonly setAside: Readonly<Partial<Record<AsideReason, number>>>;
  /** Spools of processes that have died, which could not be read as they were. */
  readonly damaged: number;
}
