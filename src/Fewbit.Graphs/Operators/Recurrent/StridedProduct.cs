using System.Numerics;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>c = op(a) op(b), or c += ..., over rows at any distance: the fast product for float32, the definition for float64.</summary>
internal unsafe struct StridedProduct<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public int M, N, K;
    public T* A, B, C;
    public int StrideA, StrideB, StrideC;
    public bool TransposeA, TransposeB, Adds;

    /// <summary>B packed before, for float32; B itself is not read then.</summary>
    public PackedMatrix Packed;

    /// <summary>Added to each row; null for none.</summary>
    public T* Bias;

    public static long ScratchBytes(int m, int n, int k) => typeof(T) == typeof(float) ? (Gemm.ScratchBytes(m, n, k) + 63) / 64 * 64 : 0;

    public readonly void Run(void* scratch)
    {
        if (typeof(T) == typeof(float))
        {
            var problem = new GemmProblem(M, N, K)
            {
                A = (float*)A, StrideA = StrideA, TransposeA = TransposeA, B = (float*)B, StrideB = StrideB, TransposeB = TransposeB, C = (float*)C, StrideC = StrideC,
                Beta = Adds ? 1 : 0, PackedB = Packed, Epilogue = new Epilogue { ColumnBias = (float*)Bias },
            };
            Gemm.Run(problem, scratch);
            return;
        }
        for (int i = 0; i < M; i++)
        {
            for (int j = 0; j < N; j++)
            {
                T sum = Bias == null ? T.Zero : Bias[j];
                for (int p = 0; p < K; p++) sum += A[TransposeA ? (long)p * StrideA + i : (long)i * StrideA + p] * B[TransposeB ? (long)j * StrideB + p : (long)p * StrideB + j];
                C[(long)i * StrideC + j] = Adds ? C[(long)i * StrideC + j] + sum : sum;
            }
        }
    }
}
