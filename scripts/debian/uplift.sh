#!/bin/sh
exec /usr/lib/uplift/bin/node /usr/lib/uplift/dist/cli.js "$@"
