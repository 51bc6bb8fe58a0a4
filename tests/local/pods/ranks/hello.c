/* The same as hello.py, for a program that was linked with its MPI. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char own[256];
    const char *host = getenv("MPIJOB_HOST");
    int rank, size, total;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Allreduce(&rank, &total, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    gethostname(own, sizeof own);
    printf("rank %d of %d on %s: %d (C)\n", rank, size, host ? host : own, total);
    return MPI_Finalize();
}
