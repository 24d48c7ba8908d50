"""Strong consistency: who may serve a partition, agreed on before anybody does."""
