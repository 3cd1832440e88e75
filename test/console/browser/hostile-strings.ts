import { createRandom } from "../../support/random.js";

/** What runs if it is taken for anything but a text. */
const scripts = [
  "<script>window.executed=1</script>",
  "<img src=x onerror=window.executed=1>",
  "<svg/onload=window.executed=1>",
  "<iframe srcdoc='<script>parent.executed=1</script>'></iframe>",
  "javascript:window.executed=1",
  "'-(window.executed=1)-'",
  '"><script>window.executed=1</script>',
  "</script><script>window.executed=1</script>",
  "{{constructor.constructor('window.executed=1')()}}",
  "\u0024{window.executed=1}",
  "<a href='javascript:window.executed=1'>x</a>",
  "<style>*{display:none}</style>",
  "<base href='https://evil.example/'>",
  "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
  "\u003cscript\u003ewindow.executed=1\u003c/script\u003e",
  "&lt;script&gt;window.executed=1&lt;/script&gt;",
  "data:text/html,<script>window.executed=1</script>",
  "<details open ontoggle=window.executed=1>",
  "<input autofocus onfocus=window.executed=1>",
  '=HYPERLINK("https://evil.example")',
];

/** What breaks a layout if it is drawn as it is. */
const breakers = [
  "W".repeat(3_000),
  "\u202Etxt.exe\u202D",
  "\u2066\u2067\u2068",
  `Z${"\u0335\u0301\u0489".repeat(400)}`,
  "\n".repeat(300),
  "\t\t\t\t",
  "\uFDFD\uFDFD\uFDFD\u{12031}\u{12031}",
  "\u200B".repeat(500),
  "مرحبا بالعالم",
  "😀👩‍👩‍👧‍👦".repeat(200),
  "\uFFFE\uFFFF\u{10FFFF}",
  "\u2028\u2029",
  "constructor",
  "__proto__",
  "undefined",
  "\u0007\u001B[2J\u001B]0;title\u0007",
  "\uE000\u{F0000}",
  "ﷺ".repeat(300),
  "꧅".repeat(80),
  "x\u0300".repeat(600),
];

/** Hostile texts, the same ones for the same seed: each another mixture. */
export function hostileStrings(count: number, seed: number): string[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, index) => {
    const parts = [random.pick(scripts), random.pick(breakers), random.pick(scripts)];
    return `${index}${random
      .shuffle(parts)
      .slice(0, 1 + random.below(3))
      .join(random.pick(["", " ", "\n", "/", "'", '"', "\u0000"]))}`;
  });
}
