import { ApolloLink } from "@apollo/client/link";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import type { FormattedExecutionResult } from "graphql";
import { print } from "graphql";
import { createClient as createStreams } from "graphql-sse";
import { type Client, CloseCode, createClient as createSockets } from "graphql-ws";
import { catchError, defer, Observable, throwError } from "rxjs";

import { currentToken, renewToken } from "../auth/session";
import { setLiveConnectionLost } from "./connection";

const KEEP_ALIVE = 10_000; // ms between pings
const PONG_WAIT = 5_000; // ms; a phone that wakes up has sockets which are dead without knowing it
const FAILURES_UNTIL_STREAMS = 3;

/**
 * Carries subscriptions: over one WebSocket, or as server-sent events if a proxy between here and the server lets no
 * WebSocket through. Both connect again on their own; `afterGap` is then called, because changes may have been missed.
 */
export function makeLiveLink(afterGap: () => void): ApolloLink {
  let hasConnected = false;
  let failures = 0;
  const isBlocked = () => !hasConnected && failures >= FAILURES_UNTIL_STREAMS;
  const connected = (again: boolean) => {
    setLiveConnectionLost(false);
    if (again) afterGap();
  };

  const sockets = new GraphQLWsLink(
    makeSockets({
      connected: (again) => {
        hasConnected = true;
        failures = 0;
        connected(again);
      },
      failed: () => {
        failures += 1;
      },
      shouldRetry: () => !isBlocked(),
    }),
  );
  const streams = makeStreamsLink(connected);

  return new ApolloLink((operation, forward) =>
    defer(() => {
      if (isBlocked()) return streams.request(operation, forward);
      return sockets
        .request(operation)
        .pipe(
          catchError((error: unknown) => (isBlocked() ? streams.request(operation, forward) : throwError(() => error))),
        );
    }),
  );
}

interface SocketEvents {
  connected: (again: boolean) => void;
  failed: () => void;
  shouldRetry: () => boolean;
}

function makeSockets({ connected, failed, shouldRetry }: SocketEvents): Client {
  let sentToken: string | null = null;
  let pong: ReturnType<typeof setTimeout> | undefined;
  let socket: WebSocket | undefined;
  const address = new URL("/graphql", window.location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";

  return createSockets({
    url: address.href,
    lazyCloseTimeout: 10_000, // a change of the screen does not close the socket
    keepAlive: KEEP_ALIVE,
    retryAttempts: Infinity,
    retryWait: backoff,
    shouldRetry,
    connectionParams: async () => {
      sentToken = await currentToken();
      return { Authorization: `Bearer ${sentToken ?? ""}` };
    },
    on: {
      opened: (opened) => {
        socket = opened as WebSocket;
      },
      connected: (_socket, _payload, wasRetry) => {
        connected(wasRetry);
      },
      ping: (received) => {
        if (!received) {
          pong = setTimeout(() => socket?.close(CloseCode.ConnectionInitialisationTimeout, "no pong"), PONG_WAIT);
        }
      },
      pong: (received) => {
        if (received) clearTimeout(pong);
      },
      closed: (event) => {
        clearTimeout(pong);
        const { code, wasClean } = event as CloseEvent;
        if (wasClean && code === 1000) return;
        if (code === Number(CloseCode.Forbidden)) {
          // The server closes connections whose token has expired; the next one is opened with a fresh token.
          renewToken(sentToken).catch(lost);
          return;
        }
        failed();
        lost();
      },
    },
  });
}

function makeStreamsLink(connected: (again: boolean) => void): ApolloLink {
  let sentToken: string | null = null;
  const client = createStreams({
    url: "/graphql",
    retryAttempts: Infinity,
    retry: backoff,
    headers: async () => {
      sentToken = await currentToken();
      return { Authorization: `Bearer ${sentToken ?? ""}` };
    },
    fetchFn: async (...request: Parameters<typeof fetch>) => {
      const response = await fetch(...request);
      if (response.status === 401) renewToken(sentToken).catch(lost);
      return response;
    },
    on: {
      connecting: (again) => {
        if (again) lost();
      },
      connected,
    },
  });
  return new ApolloLink(
    ({ query, variables, operationName }) =>
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
        ),
      ),
  );
}

function lost(): void {
  setLiveConnectionLost(true);
}

/** Waits before the next attempt: up to about 10 seconds, and not for the same time in all browsers. */
function backoff(retries: number): Promise<void> {
  const milliseconds = Math.min(500 * 2 ** retries, 10_000) * (0.75 + Math.random() / 2);
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
