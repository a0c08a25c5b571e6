#!/bin/bash
# A container's health check: /readyz of the service inside. bash alone, because a Python start costs 50 ms of CPU.
exec 3<>"/dev/tcp/127.0.0.1/${ORDERTRAIL_HTTP_PORT:?}" || exit 1
printf 'GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
IFS=' ' read -r -t 3 _ status _ <&3
[ "$status" = 200 ]
