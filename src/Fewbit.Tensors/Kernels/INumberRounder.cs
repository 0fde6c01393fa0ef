namespace Fewbit.Tensors.Kernels;

/// <summary>Rounds to the nearest number of a set, on the calling thread: what loops over blocks of memory are generic over.</summary>
internal unsafe interface INumberRounder
{
    /// <summary>y = nearest(x), one after the other; y may be x. NaN stays NaN.</summary>
    void Round(float* x, float* y, long count);
}
