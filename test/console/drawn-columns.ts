import type { Locator } from 'playwright-core'

/** The part of a canvas that is read here; the test's types know no browser. */
interface Canvas {
  readonly width: number
  readonly height: number
  readonly getContext: (kind: '2d') => { getImageData: (...box: number[]) => { data: Uint8ClampedArray } }
}

/**
 * In which of a chart's columns of pixels something of the colour of its first series is drawn, and how many there are.
 */
export async function drawnColumns (chart: Locator): Promise<{ columns: number[], all: number }> {
  return await chart.locator('canvas').evaluate((canvas: Canvas) => {
    const { width, height } = canvas
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height)
    // Axes and grid are grey: of the series' cyan red is far below blue.
    const isCyan = (i: number): boolean =>
      (data[i * 4 + 3] ?? 0) > 100 && (data[i * 4 + 2] ?? 0) - (data[i * 4] ?? 0) > 60
    const drawn = new Set(Array.from({ length: width * height }, (_, i) => i).filter(isCyan).map(i => i % width))
    return { columns: [...drawn].sort((a, b) => a - b), all: width }
  })
}
