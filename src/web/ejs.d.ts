/** The part of ejs 7 that we use; the package brings no types. */
declare module 'ejs' {
  interface Options {
    /** No `with`: a template reads its data from one named object. */
    readonly strict?: boolean
    readonly localsName?: string
    readonly filename?: string
    readonly rmWhitespace?: boolean
  }
  const ejs: { compile(template: string, options: Options): (data: object) => string }
  export default ejs
}
