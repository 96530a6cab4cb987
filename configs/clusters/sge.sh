#!/bin/bash -l
#$ -S /bin/bash
#$ -N $${job_name}
#$ -q $${queue}
#$ -P $${account}
#$ -pe $${parallel_environment} $${slots}
#$ -l h_rt=$${walltime}
#$ -l h_vmem=$${memory_per_core_MB}M
#$ -t $${array}
#$ -r n
#$ -j y
#$ -o $${log}
#$ $${scheduler_lines}

$${pre_rocket}
cd $${launch_dir}
$${rocket_launch}
