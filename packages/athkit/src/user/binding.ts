import { randomInteger } from '../crypto/random.ts'
import type { ConfirmationRequest } from '../handshake/index.ts'

/**
 * Three different two-digit codes to pick from, the one that the agent shows among them, in no order (ATH-6.3.1). A person who has no
 * agent's screen before them can only guess.
 *
 * @param random a fair integer from 0 to `bound` − 1
 */
export function bindingChoices(
  request: Pick<ConfirmationRequest, 'binding_code'>,
  random: (bound: number) => number = randomInteger,
): readonly string[] {
  // Two different distances from the right code, neither of them 0.
  const first = 1 + random(99)
  const draw = 1 + random(98)
  const second = draw < first ? draw : draw + 1
  const code = Number(request.binding_code)
  const choices = [0, first, second].map((distance) => String((code + distance) % 100).padStart(2, '0'))
  return shuffled(choices, random)
}

function shuffled(choices: string[], random: (bound: number) => number): readonly string[] {
  for (let last = choices.length - 1; last > 0; last--) {
    const other = random(last + 1)
    const moved = choices[last] as string
    choices[last] = choices[other] as string
    choices[other] = moved
  }
  return choices
}
