/* Estimates pi with every rank of an MPI job: each adds up its share of the area under a curve. */

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS 1000000
#define NAME_MAX_BYTES 256

/* One rank's part of the integral of 4 / (1 + x*x) from 0 to 1, by midpoints. */
static double share(int rank, int size) {
  double width = 1.0 / STEPS, sum = 0.0;
  for (int i = rank; i < STEPS; i += size) {
    double x = (i + 0.5) * width;
    sum += 4.0 / (1.0 + x * x);
  }
  return width * sum;
}

/* The host of this rank. Without namespaces all hosts have the machine's name: mpijob says which
 * it is. */
static void host(char name[NAME_MAX_BYTES]) {
  const char *said = getenv("MPIJOB_HOST");
  if (said != NULL && *said != '\0')
    strncpy(name, said, NAME_MAX_BYTES - 1);
  else
    gethostname(name, NAME_MAX_BYTES - 1);
}

int main(int argc, char **argv) {
  int rank, size;
  char mine[NAME_MAX_BYTES] = "", *hosts = NULL;
  double part, pi = 0.0;

  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  host(mine);
  if (rank == 0)
    hosts = malloc((size_t)size * NAME_MAX_BYTES);
  MPI_Gather(mine, NAME_MAX_BYTES, MPI_CHAR, hosts, NAME_MAX_BYTES, MPI_CHAR, 0, MPI_COMM_WORLD);
  part = share(rank, size);
  MPI_Reduce(&part, &pi, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
  if (rank == 0) {
    for (int i = 0; i < size; i++)
      printf("rank %d of %d on %s\n", i, size, hosts + (size_t)i * NAME_MAX_BYTES);
    printf("pi is about %.10f\n", pi);
  }
  free(hosts);
  MPI_Finalize();
  return 0;
}
