export type { EmulatorPerson, LoginSite, LoginSiteEmulator, LoginSiteOptions } from './index.js';
export { createLoginSite } from './index.js';
