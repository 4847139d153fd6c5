/** What makes two requests the same. */
export type KeySource =
  | { readonly kind: 'client' | 'path' }
  | { readonly kind: 'header' | 'query' | 'cookie'; readonly name: string };
