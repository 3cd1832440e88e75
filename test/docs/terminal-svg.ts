/** A picture of a terminal in which text stays text. */

const colours: Readonly<Record<string, string>> = {
  "1": 'font-weight="bold"',
  "2": 'opacity="0.6"',
  "31": 'fill="#ff7b72"',
  "32": 'fill="#7ee787"',
  "33": 'fill="#e3b341"',
};

const columnWidth = 7.8;
const lineHeight = 18;
const margin = 16;

/** Draws what a command printed, with its colours, under the command. */
export function terminalSvg(command: string, output: string): string {
  const lines = [`$ ${command}`, ...output.trimEnd().split("\n")];
  const columns = Math.max(...lines.map((line) => lengthOf(line)));
  const width = Math.ceil(columns * columnWidth + 2 * margin);
  const height = lines.length * lineHeight + 2 * margin;
  const texts = lines.map((line, index) => {
    const y = margin + (index + 0.75) * lineHeight;
    return `  <text x="${margin}" y="${y}">${spansOf(line)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `  <title>${escapeXml(command)}</title>`,
    `  <rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    `  <g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13" fill="#e6edf3" xml:space="preserve">`,
    ...texts,
    "  </g>",
    "</svg>",
    "",
  ].join("\n");
}

const colourSequence = new RegExp(`${String.fromCodePoint(0x1b)}\\[(\\d+)m`, "g");

function lengthOf(line: string): number {
  return line.replaceAll(colourSequence, "").length;
}

/** Each colour ends what the one before began: the program never nests them. */
function spansOf(line: string): string {
  const [plain = "", ...coloured] = line.split(colourSequence);
  let spans = escapeXml(plain);
  for (let index = 0; index < coloured.length; index += 2) {
    const [code = "", text = ""] = coloured.slice(index, index + 2);
    const style = colours[code];
    spans += style === undefined ? escapeXml(text) : `<tspan ${style}>${escapeXml(text)}</tspan>`;
  }
  return spans;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
