#!/bin/bash -l
#PBS -N $${job_name}
#PBS -q $${queue}
#PBS -A $${account}
#PBS -l select=$${nodes}:ncpus=$${cores}:mpiprocs=$${cores}:mem=$${memory_MB}mb$${select_gpus}
#PBS -l walltime=$${walltime}
#PBS -J $${array}
#PBS -j oe
#PBS -o $${log}
#PBS $${scheduler_lines}

$${pre_rocket}
cd $${launch_dir}
$${rocket_launch}
