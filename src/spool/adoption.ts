import { errorCode, errorMessage } from "../base/errors.js";
import type { TroubleLog } from "../base/log.js";
import type { DropReason } from "../publishing/publisher.js";
import { Delivery, type DeliveryObserver } from "./delivery.js";
import type { DiskLane } from "./disk-lane.js";
import { endInterruptedCalls } from "./interrupted.js";
import { closeRuns } from "./run-closing.js";
import { endOrLeave, findFolders, hasEvents, openDeadSpool, openSpool } from "./spool-folder.js";
import type { DurableSettings } from "./spool-options.js";
import { rescueSpool } from "./spool-rescue.js";
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

/** What adoption needs. */
export interface AdoptionContext {
  readonly settings: DurableSettings;
  /** Whatever it does with the disk, it does here. */
  readonly lane: DiskLane;
  readonly isOwn: (folder: string) => boolean;
  readonly observer: AdoptionObserver;
  readonly log: TroubleLog<SpoolTrouble>;
}

/** How often spools of processes that have died meanwhile are looked for. */
const everyMs = 60_000;

/** Starts now, and never stops the start of the process. */
export function startAdoption({ settings, lane, isOwn, observer, log }: AdoptionContext): Adoption {
  const adopted = new Map<string, AdoptedSpool>();
  let isStopped = false;
  let running = Promise.resolve();

  async function look(): Promise<void> {
    try {
      for (const folder of await lane.run(() => findFolders(settings.directory))) {
        if (isStopped) return;
        if (!isOwn(folder) && !adopted.has(folder)) await adopt(folder);
      }
    } catch (error) {
      notAdopted(settings.directory, errorMessage(error));
    }
  }

  async function adopt(folder: string): Promise<void> {
    const opened = await lane.run(() => openDeadSpool(folder, settings));
    switch (opened.kind) {
      case "locked":
        return;
      case "opened":
        await deliver(folder, opened.store);
        return;
      case "damaged":
      case "unfinished":
        await rescue(folder, opened.kind);
        return;
      case "foreign":
        notAdopted(folder, "it was made with another encryption key, or without one");
        return;
      case "failed":
        notAdopted(folder, errorCode(opened.error) ?? errorMessage(opened.error));
    }
  }

  async function rescue(folder: string, health: "damaged" | "unfinished"): Promise<void> {
    let saved: string;
    try {
      saved = await lane.run(() => rescueSpool(folder, health, settings));
    } catch (error) {
      notAdopted(folder, errorCode(error) ?? errorMessage(error));
      return;
    }
    if (health === "damaged") {
      observer.damaged();
      log.error(
        "spool_damaged",
        { folder },
        "a spool is damaged: it is kept as *.damaged, and what can be saved is delivered. Check the disk",
      );
    }
    const opened = await lane.run(() => openSpool(saved, settings));
    // If not, it is found at the next look.
    if (opened.kind === "opened") await deliver(saved, opened.store);
  }

  async function deliver(folder: string, store: SpoolStore): Promise<void> {
    const spool = new AdoptedSpool(
      folder,
      store,
      { settings, lane, observer },
      {
        failed: (error) => notAdopted(folder, errorMessage(error)),
        runLeft: (reason) =>
          log.warn(
            "run_not_closed",
            { folder, reason },
            "the run of a process that has died cannot be closed: it is tried again. Check the topic of the run records",
          ),
      },
    );
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
  /** The same, for what is to take its turn with all else that uses the disk. */
  readonly #laned: SpoolStore;
  readonly #context: Pick<AdoptionContext, "settings" | "lane" | "observer">;
  readonly #queue: WriteQueue;
  readonly #delivery: Delivery;
  readonly #reports: Reports;
  #ended: Promise<void> = Promise.resolve();

  constructor(
    folder: string,
    store: SpoolStore,
    context: Pick<AdoptionContext, "settings" | "lane" | "observer">,
    reports: Reports,
  ) {
    const { settings, lane, observer } = context;
    const { failed } = reports;
    this.#folder = folder;
    this.#store = store;
    this.#context = context;
    this.#reports = reports;
    this.#laned = inLane(store, lane);
    this.#queue = new WriteQueue(this.#laned, failed);
    this.#delivery = new Delivery(this.#laned, this.#queue, settings.publisher, { ...observer, readFailed: failed });
  }

  /** Resolves to how many calls there were that had not ended. Undefined if that failed: then it is closed. */
  async endCalls(): Promise<number | undefined> {
    try {
      return await this.#context.lane.run(() => endInterruptedCalls(this.#store));
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
      const { settings, lane } = this.#context;
      if (!(await hasEvents(this.#laned))) await this.#closeRuns();
      await lane.run(() => endOrLeave(this.#folder, this.#store, settings));
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #closeRuns(): Promise<void> {
    const { settings, observer } = this.#context;
    const closing = await closeRuns(this.#laned, settings.publisher);
    observer.closedRuns(closing.runs);
    if (closing.kind === "left") this.#reports.runLeft(closing.reason);
  }

  async #fail(cause: unknown): Promise<void> {
    this.#reports.failed(cause);
    await this.#context.lane.run(() => this.#store.close()).catch(() => {});
  }
}

function inLane(store: SpoolStore, lane: DiskLane): SpoolStore {
  return {
    write: (operations) => lane.run(() => store.write(operations)),
    read: (range) => lane.run(() => store.read(range)),
    get: (key) => lane.run(() => store.get(key)),
    close: () => lane.run(() => store.close()),
  };
}
