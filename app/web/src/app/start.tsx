import { ApolloProvider } from "@apollo/client/react";
import { MantineProvider } from "@mantine/core";
import { setNonce } from "get-nonce";
import { startTransition, StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { client } from "../api/client";
import { configuration } from "./configuration";
import { LaterNotifications } from "./frame";
import { Router } from "./router";
import { accessibleColors, theme } from "./theme";

setNonce(configuration.styleNonce); // for the library that locks scrolling below dialogs

const element = document.getElementById("root");
if (!element) throw new Error("The page has no #root.");
const root = createRoot(element);

// React renders a transition in slices of 5 ms, between which the browser can react.
startTransition(() => {
  root.render(
    <StrictMode>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={accessibleColors}
        defaultColorScheme="auto"
        getStyleNonce={() => configuration.styleNonce}
      >
        <LaterNotifications />
        <ApolloProvider client={client}>
          <Router />
        </ApolloProvider>
      </MantineProvider>
    </StrictMode>,
  );
});
