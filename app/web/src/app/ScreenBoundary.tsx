import { Component, type ReactNode, Suspense } from "react";
import { useLocation } from "react-router";

import { RouteError } from "./RouteError";

/** Shows `loading` until the screen is loaded, and `RouteError` if it fails to load or to render. */
export function ScreenBoundary({ loading, children }: { loading: ReactNode; children: ReactNode }) {
  const { pathname } = useLocation();
  return (
    <ErrorBoundary pathname={pathname}>
      <Suspense fallback={loading}>{children}</Suspense>
    </ErrorBoundary>
  );
}

interface ErrorBoundaryProps {
  pathname: string;
  children: ReactNode;
}

/** Shows `RouteError` after an error, until somebody goes to another screen. */
class ErrorBoundary extends Component<ErrorBoundaryProps, { hasError: boolean }> {
  static getDerivedStateFromError() {
    return { hasError: true };
  }

  override state = { hasError: false };

  override componentDidUpdate({ pathname }: ErrorBoundaryProps) {
    if (this.state.hasError && pathname !== this.props.pathname) this.setState({ hasError: false });
  }

  override render() {
    return this.state.hasError ? <RouteError /> : this.props.children;
  }
}
