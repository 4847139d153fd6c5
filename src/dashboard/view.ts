/** What a component of the dashboard returns: anything that Preact can show. */
import type { JSX } from 'preact';

export type View = JSX.Element;
