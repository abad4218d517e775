// Opens a report in headless Chromium and looks for what tests without a browser cannot see. By hand:
//
//     npm install --no-save puppeteer-core axe-core
//     node tests/compare/browser.mjs runs/latest/comparison/report.html [FOLDER]
//
// It fails where the page overflows a screen of 1280 or 390 px, asks anything of the network, writes to the console, or
// where axe-core (WCAG 2.2 A and AA, best practices) finds a violation, light and dark, with all details open. With a
// FOLDER it leaves pictures of the first screens there, and the report as PDF. CHROMIUM names the browser, if it is not
// /usr/bin/chromium.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [report, folder] = process.argv.slice(2);
const address = pathToFileURL(report).href;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const standards = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox"] });
const findings = [];

async function opened(width, height, scheme) {
  const page = await browser.newPage();
  page.on("request", (request) => {
    const url = request.url();
    if (url !== address && !url.startsWith("data:")) findings.push(`request: ${url}`);
  });
  page.on("console", (message) => findings.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => findings.push(`error: ${error}`));
  await page.setViewport({ width, height, isMobile: width < 500, deviceScaleFactor: width < 500 ? 2 : 1 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(address, { waitUntil: "load" });
  return page;
}

for (const [width, height] of [[1280, 900], [390, 844]]) {
  for (const scheme of ["light", "dark"]) {
    const page = await opened(width, height, scheme);
    if (folder) await page.screenshot({ path: join(folder, `${width}-${scheme}.png`) });
    await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
    const across = await page.evaluate(() => document.documentElement.scrollWidth);
    if (across > width) findings.push(`${width} px: the page is ${across} px wide`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate((only) => globalThis.axe.run(document, { runOnly: only }), standards);
    for (const { id, impact, nodes } of violations) {
      findings.push(`${width} px, ${scheme}: ${impact} ${id}: ${nodes.length} times, first ${nodes[0].html.slice(0, 120)}`);
    }
    await page.close();
  }
}
const paper = await opened(1280, 900, "light");
if (folder) await paper.pdf({ path: join(folder, "report.pdf"), preferCSSPageSize: true });
await browser.close();
console.log(findings.length ? findings.join("\n") : "no finding");
process.exitCode = findings.length ? 1 : 0;
