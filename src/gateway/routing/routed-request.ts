/** What a request is routed by. */
import type { Address } from '../../kernel/ip-address.ts';
import type { Head } from '../l7/head.ts';
import type { Path } from '../l7/write-head.ts';

/** Mutable, to be filled anew for each request. */
export interface RoutedRequest {
  /** Method, host, query and fields. */
  head: Head;
  /** In its normal form (target.ts). */
  path: Path;
  /** The one client address that everything uses. */
  client: Address;
}
