import { type InfiniteData, keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { type Schema, api, bodyOf } from './api/client.js'
import type { paths } from './api/schema.js'

export type UsageLog = Schema['UsageLog']
export type UsageLogSummary = Schema['UsageLogSummary']
export type UsageLogQuery = NonNullable<paths['/admin/api/usage-logs']['get']['parameters']['query']>

interface LogPage { items: UsageLogSummary[], total: number, next_cursor: string | null }

/** The log, newest first, page after page. While it is tailed its first page is asked for every two seconds. */
export function useUsageLogs (query: UsageLogQuery, { tail = false, limit = 100 } = {}) {
  return useInfiniteQuery<LogPage, Error, InfiniteData<LogPage>, unknown[], string | null>({
    queryKey: ['usage-logs', query, limit],
    placeholderData: keepPreviousData,
    initialPageParam: null,
    refetchInterval: tail ? 2000 : false,
    ...(tail ? { maxPages: 1 } : {}),
    getNextPageParam: last => last.next_cursor,
    queryFn: async ({ pageParam }) => await bodyOf<LogPage>(api.GET('/admin/api/usage-logs', {
      params: { query: { ...query, limit, ...(pageParam === null ? {} : { cursor: pageParam }) } }
    }))
  })
}

export function useUsageLog (id: string | null) {
  return useQuery({
    queryKey: ['usage-log', id],
    enabled: id !== null,
    // A row never changes, save for its price.
    staleTime: 60_000,
    queryFn: async (): Promise<UsageLog> => await bodyOf(
      api.GET('/admin/api/usage-logs/{id}', { params: { path: { id: id ?? '' } } })
    )
  })
}
