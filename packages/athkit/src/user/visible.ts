/**
 * Text of somebody who is not trusted, as a person may be shown it (ATH-6.3.1): what would not be seen, or would change how the rest
 * is seen, is spelled out as `\u{202E}`. So nobody reads other words than were sent.
 *
 * Control characters (line ends among them), format characters (bidirectional controls, zero-width characters, tags), lone
 * surrogates, private use and unassigned characters, all spaces but the plain one, and variation selectors.
 */
export const visible = (text: string): string => text.replace(INVISIBLE, spelled)

const INVISIBLE =
  /\u034F|[\uFE00-\uFE0F]|[\u{E0100}-\u{E01EF}]|[\p{C}\p{Zl}\p{Zp}\u115F\u1160\u17B4\u17B5\u3164\uFFA0]|(?! )\p{Zs}/gu

function spelled(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return `\\u{${code.toString(16).toUpperCase().padStart(4, '0')}}`
}
