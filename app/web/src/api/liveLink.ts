import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { ApolloLink } from "@apollo/client/link";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import type { FormattedExecutionResult } from "graphql";
import { print } from "graphql";
import { createClient as createStreams, NetworkError } from "graphql-sse";
import { type Client, CloseCode, createClient as createSockets } from "graphql-ws";
import { asyncScheduler, concat, concatMap, defer, map, Observable, retry, subscribeOn, throwError } from "rxjs";

import { currentToken, renewToken } from "../auth/session";
import { backoff, LONGEST_WAIT, waitOrOnline } from "./backoff";
import { BANNER_AFTER, setLiveConnectionLost } from "./connection";
import { codeOf } from "./errors";
import { answered } from "./inFlight";

const KEEP_ALIVE = 10_000; // ms between pings
const PONG_WAIT = 5_000; // ms; a phone that wakes up has sockets which are dead without knowing it
const ACKNOWLEDGEMENT_WAIT = 10_000; // ms
const SILENCE = 30_000; // ms; the server sends something on a stream every 12 seconds
const REFUSALS_UNTIL_STREAMS = 2;

const ABNORMAL_CLOSURE = 1006; // RFC 6455: also of sockets that never opened
const ENDED = new Error("The server ended the subscription.");

export interface LiveLink {
  link: ApolloLink;
  /** Notes the server's time at the beginning of a request, whose answer is therefore no older. */
  noteTime: (now: string) => void;
  /** Closes the connection at the end of a session: it belongs to the person who has opened it. */
  disconnect: () => void;
}

/**
 * Carries subscriptions: over one WebSocket, or as server-sent events if a proxy between here and the server lets no
 * WebSocket through. The first connection replays the changes since the first request. Whatever ends a subscription
 * later, all connect again; `afterGap` is then called, because changes may have been missed.
 *
 * An event waits for the requests in flight when it comes: their answers may be older, and would overwrite it.
 */
export function makeLiveLink(afterGap: () => void): LiveLink {
  let firstRequest: string | undefined; // when it began, by the server's clock
  let wasConnected = false;
  let hasGap = false; // changes may have been missed that are not replayed
  let failures = 0; // since there was a connection
  let refusals = 0; // of WebSockets in a row, although the server could be reached
  let pause: Promise<void> | undefined;
  let banner: ReturnType<typeof setTimeout> | undefined;
  const isBlocked = () => refusals >= REFUSALS_UNTIL_STREAMS;

  const connected = (again: boolean) => {
    clearTimeout(banner);
    banner = undefined;
    failures = 0;
    wasConnected = true;
    hasGap = false;
    setLiveConnectionLost(false);
    if (again) afterGap();
  };

  const sockets = makeSockets(() => {
    refusals = 0;
    connected(hasGap);
  });
  const socketsLink = new GraphQLWsLink(sockets.client);
  const streams = makeStreams();

  /** Returns when the next attempt is due, which is the same time for all subscriptions. */
  const recover = (error: unknown): Promise<void> => {
    const cannotReplay = codeOf(error) === "CHANGES_MISSED";
    hasGap ||= wasConnected || cannotReplay;
    banner ??= setTimeout(setLiveConnectionLost, BANNER_AFTER, true);
    const isOfServer = CombinedGraphQLErrors.is(error) || error === ENDED;
    const milliseconds = isOfServer ? LONGEST_WAIT : backoff(failures);
    pause ??= wait(error, cannotReplay ? 0 : milliseconds).finally(() => {
      pause = undefined;
    });
    if (isOfServer) sockets.end(); // so that the others connect again, and all have the same gap
    return pause;
  };

  const wait = async (error: unknown, milliseconds: number) => {
    await waitOrOnline(milliseconds);
    await sockets.renewal();
    if (isBlocked()) {
      if (failures > 0 && error instanceof NetworkError && !error.response) refusals = 0; // another network, perhaps
    } else if (sockets.wasRefused()) {
      refusals = (await isServerReachable()) ? refusals + 1 : 0;
    }
    failures += 1;
  };

  window.addEventListener("online", () => {
    sockets.end(); // it may lead through the network that the device has left
  });

  return {
    link: new ApolloLink((operation) =>
      defer(() => {
        hasGap ||= firstRequest === undefined;
        const again = hasGap;
        const replaySince = again ? undefined : firstRequest;
        const request = { ...operation, variables: { ...operation.variables, replaySince } };
        const results = isBlocked()
          ? streams(request, () => {
              connected(again);
            })
          : socketsLink.request(request);
        return concat(
          results,
          throwError(() => ENDED),
        );
        // Not within the task that renders the screen, which is long enough.
      }).pipe(map(withoutErrors), concatMap(afterAnswers), retry({ delay: recover }), subscribeOn(asyncScheduler)),
    ),
    noteTime: (now) => {
      if (!firstRequest || now < firstRequest) firstRequest = now;
    },
    disconnect: () => {
      firstRequest = undefined;
      wasConnected = hasGap = false;
      sockets.end();
    },
  };
}

interface Sockets {
  client: Client;
  /** Ends the connection at once; one that is being made, as soon as it is open, for browsers warn of anything else. */
  end: () => void;
  /** Whether the last socket was not let through, as far as one can tell: the server may also have been away. */
  wasRefused: () => boolean;
  /** Settles when the token that the server refused last is replaced, or the session ended. */
  renewal: () => Promise<unknown>;
}

function makeSockets(connected: () => void): Sockets {
  let sentToken: string | null = null;
  let pong: ReturnType<typeof setTimeout> | undefined;
  let isConnecting = false;
  let isUnwanted = false;
  let isAcknowledged = false;
  let wasRefused = false;
  let renewal: Promise<unknown> = Promise.resolve();
  const address = new URL("/graphql", window.location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";

  const client = createSockets({
    url: address.href,
    lazyCloseTimeout: 10_000, // a change of the screen does not close the socket
    keepAlive: KEEP_ALIVE,
    connectionAckWaitTimeout: ACKNOWLEDGEMENT_WAIT,
    retryAttempts: 0, // the link does it
    connectionParams: async () => {
      sentToken = await currentToken();
      return { Authorization: `Bearer ${sentToken ?? ""}` };
    },
    on: {
      connecting: () => {
        isConnecting = true;
        isUnwanted = false;
        isAcknowledged = false;
        wasRefused = false;
      },
      opened: () => {
        isConnecting = false;
        if (isUnwanted) client.terminate();
      },
      connected: () => {
        isAcknowledged = true;
        connected();
      },
      ping: (received) => {
        // Not `close`, which waits for the other side to answer.
        if (!received) {
          pong = setTimeout(() => {
            client.terminate();
          }, PONG_WAIT);
        }
      },
      pong: (received) => {
        if (received) clearTimeout(pong);
      },
      closed: (event) => {
        isConnecting = false;
        clearTimeout(pong);
        const code = (event as CloseEvent).code as CloseCode | typeof ABNORMAL_CLOSURE;
        wasRefused =
          !isAcknowledged && (code === ABNORMAL_CLOSURE || code === CloseCode.ConnectionAcknowledgementTimeout);
        // The server closes connections whose token has expired; the next one is opened with a fresh token.
        if (code === CloseCode.Forbidden) renewal = renewToken(sentToken).catch(() => undefined);
      },
    },
  });
  const end = () => {
    if (isConnecting) isUnwanted = true;
    else client.terminate();
  };
  return { client, end, wasRefused: () => wasRefused, renewal: () => renewal };
}

/** Returns a function that opens a stream, and calls `connected` when it is open. Any end of it is an error. */
function makeStreams(): (operation: ApolloLink.Operation, connected: () => void) => Observable<ApolloLink.Result> {
  const client = createStreams({
    url: "/graphql",
    retryAttempts: 0, // the link does it
    headers: async () => ({ Authorization: `Bearer ${(await currentToken()) ?? ""}` }),
    fetchFn: fetchStream,
  });
  return ({ query, variables, operationName }, connected) =>
    new Observable((observer) =>
      client.subscribe<ApolloLink.Result["data"]>(
        { query: print(query), variables, ...(operationName ? { operationName } : {}) },
        {
          next: (result) => {
            observer.next(result as FormattedExecutionResult);
          },
          error: (error) => {
            observer.error(error);
          },
          complete: () => {
            observer.complete();
          },
        },
        { connected },
      ),
    );
}

/** Opens a stream, and replaces its token if the server refuses it. A stream that falls silent is ended. */
async function fetchStream(url: string, request: RequestInit): Promise<Response> {
  const response = await fetch(url, request);
  if (response.status === 401) {
    const token = new Headers(request.headers).get("Authorization")?.replace("Bearer ", "");
    await renewToken(token ?? null);
  }
  return new Response(response.body?.pipeThrough(endingInSilence()) ?? null, response);
}

function endingInSilence(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listen = (controller: TransformStreamDefaultController) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      controller.error(new Error("The stream fell silent."));
    }, SILENCE);
  };
  return new TransformStream({
    start: listen,
    transform: (chunk, controller) => {
      controller.enqueue(chunk);
      listen(controller);
    },
    flush: () => {
      clearTimeout(timer);
    },
  });
}

function withoutErrors(result: ApolloLink.Result): ApolloLink.Result {
  if (result.errors?.length) throw new CombinedGraphQLErrors(result);
  return result;
}

/** Gives an event on when no answer can overwrite it. */
async function afterAnswers(result: ApolloLink.Result): Promise<ApolloLink.Result> {
  await answered();
  return result;
}

/** Whether the server can be reached over HTTP, from which the page came. */
async function isServerReachable(): Promise<boolean> {
  try {
    return (await fetch("/", { method: "HEAD", cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
