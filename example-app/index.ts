export { createLoginSite, type LoginSite } from './login-site.js';
export type { EmulatorPerson, LoginSiteEmulator, LoginSiteOptions } from './options.js';
