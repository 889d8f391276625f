/** Where the DCC's packages are, as scripts/setup-interop unpacks them. */
import { resolve } from 'node:path';

const PACKAGES = resolve(import.meta.dirname, '../../../.toolchain/dcc');
export const TOOL_JAR = resolve(PACKAGES, 'duis-sign-wrap-0.1.2/dist/tool.jar');
export const KEYSTORE = resolve(PACKAGES, 'dccboxed-keystore-0.4.2/keystore.json');
