/** sysexits.h: a needed service, an internal fault, configuration. A wrong command line is configuration too. */
export const exit = { unavailable: 69, internal: 70, configuration: 78 } as const
