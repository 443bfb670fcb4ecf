import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'

/** What every list of the API answers. */
export interface ListPage<Item> { items: Item[], total: number, next_cursor: string | null }

/** A list, page after page. `load` asks for the page behind a cursor; null: the first. */
export function useList<Item, Page extends ListPage<Item> = ListPage<Item>> (
  key: readonly unknown[], load: (cursor: string | null) => Promise<Page>
) {
  const query = useInfiniteQuery({
    queryKey: key,
    placeholderData: keepPreviousData,
    initialPageParam: null as string | null,
    getNextPageParam: (last: Page) => last.next_cursor,
    queryFn: async ({ pageParam }) => await load(pageParam)
  })
  return { query, rows: query.data?.pages.flatMap(page => page.items) ?? [], total: query.data?.pages[0]?.total ?? 0 }
}

/** A cursor as a query parameter, left out for the first page. */
export const after = (cursor: string | null): { cursor?: string } => cursor === null ? {} : { cursor }
