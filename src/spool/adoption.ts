import { errorCode, errorMessage } from "../base/errors.js";
import type { TroubleLog } from "../base/log.js";
import type { DropReason, Publisher } from "../publishing/publisher.js";
import { Delivery, type DeliveryObserver } from "./delivery.js";
import { endInterruptedCalls } from "./interrupted.js";
import { closeRuns } from "./run-closing.js";
import { endOrLeave, findFolders, hasEvents, openSpool, setDamagedAside } from "./spool-folder.js";
import type { DurableSettings } from "./spool-options.js";
import type { SpoolStore } from "./spool-store.js";
import type { SpoolTrouble } from "./spool-troubles.js";
import { WriteQueue } from "./write-queue.js";

/** What was found in spools of others. */
export interface AdoptionObserver extends Omit<DeliveryObserver, "readFailed"> {
  /** The processes of a spool's calls have died. */
  interrupted(count: number): void;
  /** A spool could not be read. */
  damaged(): void;
  /** So many runs of such processes were closed. */
  closedRuns(count: number): void;
}

/** Adopts spools of processes that have died, and delivers what is in them. */
export interface Adoption {
  /** Stops. What is not delivered stays where it is. Resolves when others may adopt it. */
  stop(): Promise<void>;
}

/** How often spools of processes that have died meanwhile are looked for. */
const everyMs = 60_000;

/** Starts now, and never stops the start of the process. */
export function startAdoption(
  settings: DurableSettings,
  isOwn: (folder: string) => boolean,
  observer: AdoptionObserver,
  log: TroubleLog<SpoolTrouble>,
): Adoption {
  const adopted = new Map<string, AdoptedSpool>();
  let isStopped = false;
  let running = Promise.resolve();

  async function look(): Promise<void> {
    try {
      for (const folder of await findFolders(settings.directory)) {
        if (isStopped) return;
        if (!isOwn(folder) && !adopted.has(folder)) await adopt(folder);
      }
    } catch (error) {
      notAdopted(settings.directory, errorMessage(error));
    }
  }

  async function adopt(folder: string): Promise<void> {
    const opened = await openSpool(folder, settings);
    switch (opened.kind) {
      case "locked":
        return;
      case "opened":
        await deliver(folder, opened.store);
        return;
      case "damaged":
        observer.damaged();
        log.error(
          "spool_damaged",
          { folder },
          "a spool is damaged: it is kept as *.damaged, and what can be saved is delivered. Check the disk",
        );
        await setDamagedAside(folder, settings);
        return;
      case "foreign":
        notAdopted(folder, "it was made with another encryption key, or without one");
        return;
      case "failed":
        notAdopted(folder, errorCode(opened.error) ?? errorMessage(opened.error));
    }
  }

  async function deliver(folder: string, store: SpoolStore): Promise<void> {
    const spool = new AdoptedSpool(folder, store, settings.publisher, observer, {
      failed: (error) => notAdopted(folder, errorMessage(error)),
      runLeft: (reason) =>
        log.warn(
          "run_not_closed",
          { folder, reason },
          "the run of a process that has died cannot be closed: it is tried again. Check the topic of the run records",
        ),
    });
    const interrupted = await spool.endCalls();
    // It failed, and is closed: it is tried again at the next look.
    if (interrupted === undefined) return;
    observer.interrupted(interrupted);
    adopted.set(folder, spool);
    void spool.deliver().then(() => adopted.delete(folder));
  }

  function notAdopted(folder: string, reason: string): void {
    log.warn(
      "spool_not_adopted",
      { folder, reason },
      "a spool of a process that has died cannot be read: it is tried again",
    );
  }

  const lookAgain = (): void => {
    running = running.then(look);
  };
  lookAgain();
  const timer = setInterval(lookAgain, everyMs).unref();
  return {
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await running;
      await Promise.all([...adopted.values()].map((spool) => spool.stop()));
    },
  };
}

/** What an adopted spool reports. */
interface Reports {
  failed(error: unknown): void;
  runLeft(reason: DropReason): void;
}

/** The spool of a process that has died. */
class AdoptedSpool {
  readonly #folder: string;
  readonly #store: SpoolStore;
  readonly #queue: WriteQueue;
  readonly #delivery: Delivery;
  readonly #publisher: Publisher;
  readonly #observer: AdoptionObserver;
  readonly #reports: Reports;
  #ended: Promise<void> = Promise.resolve();

  constructor(folder: string, store: SpoolStore, publisher: Publisher, observer: AdoptionObserver, reports: Reports) {
    const { failed } = reports;
    this.#folder = folder;
    this.#store = store;
    this.#publisher = publisher;
    this.#observer = observer;
    this.#reports = reports;
    this.#queue = new WriteQueue(store, failed);
    this.#delivery = new Delivery(store, this.#queue, publisher, { ...observer, readFailed: failed });
  }

  /** Resolves to how many calls there were that had not ended. Undefined if that failed: then it is closed. */
  async endCalls(): Promise<number | undefined> {
    try {
      return await endInterruptedCalls(this.#store);
    } catch (error) {
      await this.#fail(error);
      return undefined;
    }
  }

  /** Resolves when all was delivered and the folder is gone, or when it is stopped. Never rejects. */
  deliver(): Promise<void> {
    this.#delivery.wake();
    this.#ended = this.#delivery.idle().then(() => this.#end());
    return this.#ended;
  }

  async stop(): Promise<void> {
    this.#delivery.stop();
    await this.#ended;
  }

  async #end(): Promise<void> {
    try {
      await this.#queue.idle();
      if (!(await hasEvents(this.#store))) await this.#closeRuns();
      await endOrLeave(this.#folder, this.#store);
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #closeRuns(): Promise<void> {
    const closing = await closeRuns(this.#store, this.#publisher);
    this.#observer.closedRuns(closing.runs);
    if (closing.kind === "left") this.#reports.runLeft(closing.reason);
  }

  async #fail(cause: unknown): Promise<void> {
    this.#reports.failed(cause);
    await this.#store.close().catch(() => {});
  }
}
