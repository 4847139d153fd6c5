/** `spillway/elect`: who leads among processes. Where terms are kept is in `spillway/lease`. */
export { type CronRun } from './cron-log.ts';
export { type CronOptions, cronRuns, type CronTick, type CronWork } from './cron.ts';
export { createElections, type Elections, type ElectionsOptions, type ObserveOptions } from './elections.ts';
export type { Leadership } from './observe.ts';
export type { ScheduleOption } from './schedule.ts';
export type { CampaignOptions, Leading, Term } from './term.ts';
