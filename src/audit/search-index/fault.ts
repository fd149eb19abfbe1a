/** A question that the search index did not answer: of its database, by its code, or of its thread. */
export class SearchIndexFault extends Error {
  override readonly name = 'SearchIndexFault'
  readonly code: string | undefined

  constructor(message: string, options: { readonly code?: string; readonly cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = options.code
  }
}
