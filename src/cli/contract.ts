/** `smart-bff contract`: also a page of the staff site, so it stands with what tells of the deployment. */
export { launchContract } from '../operations/contract.ts'
