import "@mantine/charts/styles.css";

import { BarChart } from "@mantine/charts";

import { formatDuration } from "./formatDuration";

/** Bars of the median time to claim. Hidden from screen readers, which read the table below it. */
export function ClaimChart({ points }: { points: { name: string; seconds: number | null }[] }) {
  return (
    <div aria-hidden>
      <BarChart
        h={220}
        data={points}
        dataKey="name"
        series={[{ name: "seconds", label: "Median time to claim", color: "teal.6" }]}
        valueFormatter={formatDuration}
        barChartProps={{ accessibilityLayer: false }}
        barProps={{ isAnimationActive: false }}
        yAxisProps={{ width: 64 }}
      />
    </div>
  );
}
