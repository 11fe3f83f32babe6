// The clients of the echo servers. Usage: load PORT CONNECTIONS BYTES. Connects all of them; then, for each line on its
// input, which is a number of milliseconds, sends a message of so many bytes on every connection and reads all answers, again
// and again for so long, at least once, and prints how many messages that were.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	check(argc == 4, "usage");
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);

	int count = atoi(argv[2]), *conns = calloc(count, sizeof *conns);
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger reset = {1, 0}; // so that thousands of connections do not linger when this ends
	for (int i = 0; i < count; i++) {
		check((conns[i] = socket(AF_INET, SOCK_STREAM, 0)) >= 0, "socket");
		check(setsockopt(conns[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0, "setsockopt");
		check(connect(conns[i], (struct sockaddr *)&addr, sizeof addr) == 0, "connect");
	}

	int size = atoi(argv[3]);
	char *message = calloc(1, size), *answer = malloc(size);
	for (double msec; scanf("%lf", &msec) == 1;) {
		double end = now() + msec;
		long messages = 0;
		do {
			for (int i = 0; i < count; i++)
				check(send(conns[i], message, size, 0) == size, "send");
			for (int i = 0; i < count; i++)
				check(recv(conns[i], answer, size, MSG_WAITALL) == size, "recv");
			messages += count;
		} while (now() < end);
		printf("%ld\n", messages);
		fflush(stdout);
	}
}
