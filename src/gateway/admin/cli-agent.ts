/** How the command line names itself (`User-Agent`), for the audit log. By itself, since a command need not load what guards the API. */
export const CLI_AGENT = 'spillway-cli/';
