/** `spillway/elect`: who leads among processes. Where terms are kept is in `spillway/lease`. */
export {
  type CampaignOptions,
  createElections,
  type Elections,
  type ElectionsOptions,
  type Leading,
  type ObserveOptions,
  type Term,
} from './elections.ts';
export type { Leadership } from './observe.ts';
