// Runs Lighthouse, with the settings that it has by default (a phone on slow mobile data), on a page that needs a session.
// node lighthouse.mjs ADDRESS TOKEN CHROMIUM [ARGUMENT-OF-CHROMIUM …]
// Prints {scores: {category: from 0 to 1}, failed: {category: [audit]}, visible: the text of the page}.

import lighthouse from "lighthouse";
import { launch } from "puppeteer-core";

const CATEGORIES = ["performance", "accessibility", "best-practices"];

const [address, token, executablePath, ...args] = process.argv.slice(2);

/** Audits of the category that lower its score, the worst first. */
function failedAudits({ audits }, { auditRefs }) {
  return auditRefs
    .filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 1)
    .map(({ id, weight }) => ({ ...audits[id], lost: weight * (1 - audits[id].score) }))
    .sort((one, other) => other.lost - one.lost)
    .map(({ id, title, score, displayValue = "", details }) => {
      const items = (details?.items ?? []).slice(0, 5).map((item) => JSON.stringify(item).slice(0, 400));
      return [`${id}: ${title}: ${score} ${displayValue}`.trim(), ...items].join("\n  ");
    });
}

const browser = await launch({ executablePath, args });
try {
  const page = await browser.newPage();
  // Each document signs in before its scripts run: Lighthouse loads the page in a tab without a past.
  await page.evaluateOnNewDocument((token) => {
    if (location.protocol.startsWith("http")) {
      sessionStorage.setItem("session", JSON.stringify({ kind: "token", token }));
    }
  }, token);
  const { lhr } = await lighthouse(address, { logLevel: "silent", onlyCategories: CATEGORIES }, undefined, page);
  if (lhr.runtimeError) throw new Error(lhr.runtimeError.message);
  const categories = CATEGORIES.map((name) => [name, lhr.categories[name]]);
  console.log(
    JSON.stringify({
      scores: Object.fromEntries(categories.map(([name, { score }]) => [name, score])),
      failed: Object.fromEntries(categories.map(([name, category]) => [name, failedAudits(lhr, category)])),
      visible: await page.evaluate(() => document.body.innerText),
    }),
  );
} finally {
  await browser.close();
}
