/** What src/store asks Redis for, and the word for its connection (test/operations/metrics.test.ts). */
export const storeOperations: ReadonlySet<string> = new Set(
  `acquireLease addAuditBatches addToIndex addToMatrix check claimDue claimIdempotent clock connection
  countUp createLaunch createSession deleteIdempotent endLaunch endSession joinBindings
  keepCheckpoint listCheckpoints listDue listIndex listLaunches putConfirmation putIdempotent
  putPending readAuditBatches readAuditLines readDraft readLaunch readLease readMatrix readSession readUntold
  readUntoldSession releaseLease renewLease replaceDraft replaceLaunch replaceSession schedule
  settleDue settleEnd takeConfirmation takePending touch`.split(/\s+/),
)
