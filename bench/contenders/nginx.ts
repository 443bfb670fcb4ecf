import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../test/helpers/free-port.js'
import { startChild, untilAnswering } from '../child-process.js'
import { withChildren } from '../process-stat.js'
import type { StartContender } from './contender.js'

/** nginx as a proxy: one worker, connections kept alive on both sides, nothing gathered, so that streams flow. */
const configuration = (folder: string, port: number, upstreamOrigin: string): string => `
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  client_max_body_size 64m;
  keepalive_requests 1000000000;
  upstream openai {
    server ${new URL(upstreamOrigin).host};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://openai;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering off;
    }
  }
}
`

export const startNginx: StartContender = async ({ upstreamOrigin }) => {
  const found = spawnSync('nginx', ['-v'], { encoding: 'utf8' })
  if (found.error !== undefined) return { missing: 'not installed' }
  const folder = await mkdtemp(join(tmpdir(), 'promptmeter-bench-nginx-'))
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), configuration(folder, port, upstreamOrigin))
  const child = startChild('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')])
  const origin = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    await child.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await untilAnswering(child, origin)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    name: 'nginx',
    origin,
    headers: {},
    pids: withChildren(child.pid),
    databasePids: null,
    books: null,
    longestHoldMs: null,
    heapUsedBytes: null,
    stop
  }
}
