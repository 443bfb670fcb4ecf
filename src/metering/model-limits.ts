export interface ModelLimits {
  /** Tokens that a request and its answer may have together. */
  readonly contextTokens: number
  /** Tokens of an answer where the request sets no limit. */
  readonly outputTokens: number
}

/**
 * As OpenAI's pages on its models say (https://platform.openai.com/docs/models, 2026), by how a name begins: the first
 * that fits holds.
 */
const LIMITS: ReadonlyArray<readonly [RegExp, ModelLimits]> = [
  [/^(?:gpt-4o|chatgpt-4o|gpt-audio)/, { contextTokens: 128_000, outputTokens: 16_384 }],
  [/^gpt-4\.1/, { contextTokens: 1_047_576, outputTokens: 32_768 }],
  [/^gpt-4-(?:turbo|1106|0125|vision)/, { contextTokens: 128_000, outputTokens: 4_096 }],
  [/^gpt-4(?:-\d|-32k|$)/, { contextTokens: 32_768, outputTokens: 32_768 }],
  [/^gpt-3\.5/, { contextTokens: 16_385, outputTokens: 4_096 }],
  [/^o1-(?:mini|preview)/, { contextTokens: 128_000, outputTokens: 65_536 }],
  [/^o[134]/, { contextTokens: 200_000, outputTokens: 100_000 }],
  [/^gpt-5(?:\.[0-3])?(?:-|$)/, { contextTokens: 400_000, outputTokens: 128_000 }],
  // The limit of a request, however many inputs it has.
  [/^text-embedding-/, { contextTokens: 300_000, outputTokens: 0 }]
]

/** No model of OpenAI's has larger ones. */
const LARGEST: ModelLimits = { contextTokens: 1_050_000, outputTokens: 128_000 }

/** The most tokens that a model takes and returns; for an unknown model, the largest limits there are. */
export function modelLimits (model: string): ModelLimits {
  const base = model.replace(/^ft:/, '')
  return LIMITS.find(([name]) => name.test(base))?.[1] ?? LARGEST
}
