import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The gateway serves what comes out: src/admin/console.ts.
export default defineConfig({
  root: import.meta.dirname,
  base: '/admin/',
  plugins: [react()],
  // Packages that lie in the project's own folder would find the React of the test runner there.
  resolve: { dedupe: ['react', 'react-dom'] },
  build: {
    outDir: '../../dist/console',
    emptyOutDir: true,
    // A picture in the style sheet is a file of its own: the page's policy allows no data: URLs but for images.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    // The packages in one file, which stays in the browser's cache while the console changes, and compresses best.
    // So is what several pages share: dozens of small files took a tenth more bytes and as many requests.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'packages', test: /node_modules/ },
            { name: 'shared', test: /console\/(?!pages\/|node_modules\/|main\.)/, minShareCount: 2 }
          ]
        }
      }
    }
  },
  server: { proxy: { '/admin/api': 'http://127.0.0.1:8080' } }
})
