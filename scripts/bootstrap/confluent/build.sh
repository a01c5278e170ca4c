#!/bin/sh
# Builds the addon of @confluentinc/kafka-javascript from the sources that its package has, librdkafka's among them.
# Its own build wants the development files of curl and OpenSSL, which tests on a plain connection do without, and
# node-gyp, which downloads Node's headers. It is not optimised, which takes a third of the time.
#
# usage: build.sh PACKAGE NAN HEADERS
set -eu
package=$1 nan=$2 headers=$3
librdkafka=$package/deps/librdkafka

cd "$librdkafka"
./configure --enable-static --disable-optimization --disable-debug-symbols \
  --disable-ssl --disable-curl --disable-gssapi --disable-zlib --disable-zstd --disable-lz4-ext
make -j2 -C src librdkafka.a
make -C src-cpp librdkafka++.a

cd "$package"
mkdir -p build/Release
g++ -std=c++20 -shared -fPIC -O0 -w \
  -DNODE_GYP_MODULE_NAME=confluent-kafka-javascript -DBUILDING_NODE_EXTENSION -D_FILE_OFFSET_BITS=64 \
  -I"$headers" -I"$nan" -I. -I"$librdkafka/src" -I"$librdkafka/src-cpp" \
  src/*.cc "$librdkafka/src-cpp/librdkafka++.a" "$librdkafka/src/librdkafka.a" \
  -lpthread -ldl -lrt -lm -o build/Release/confluent-kafka-javascript.node
rm -r deps
