/** Requests as plain data, for any API server: what depends on the server (uids, versions) is only named. */

/**
 * Which uid or resourceVersion a request carries: of the object as last seen, as first seen, none, or one that is
 * wrong.
 */
export type Version = "none" | "current" | "first" | "wrong";

export type Resource = "pods" | "nodes" | "leases" | "configmaps" | "events";

interface Aimed {
  readonly name: string;
  readonly uid: Version;
  readonly version: Version;
}

export type Command =
  | { readonly kind: "create"; readonly resource: Resource; readonly body: object; readonly namespace?: string }
  | (Aimed & { readonly kind: "json-patch"; readonly resource: Resource; readonly operations: readonly object[] })
  | (Aimed & {
      readonly kind: "patch";
      readonly resource: Resource;
      readonly subresource?: string;
      readonly format: "merge" | "strategic";
      readonly change: object;
    })
  | (Aimed & { readonly kind: "put"; readonly resource: Resource; readonly change: object })
  | (Aimed & { readonly kind: "bind"; readonly node: string })
  | (Aimed & { readonly kind: "delete"; readonly resource: Resource; readonly grace: number | undefined })
  | { readonly kind: "get"; readonly resource: Resource; readonly name: string }
  | {
      readonly kind: "list";
      readonly resource: Resource;
      readonly limit: number | undefined;
      readonly query: Readonly<Record<string, string>>;
    };
