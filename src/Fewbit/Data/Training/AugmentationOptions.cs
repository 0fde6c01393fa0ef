using Fewbit.Tensors;

namespace Fewbit.Data.Training;

/// <summary>What lies around a picture when a crop reaches beyond it.</summary>
public enum CropFill
{
    /// <summary>Zeros behind the normalization: the mean colour.</summary>
    Mean,

    /// <summary>Zeros in front of the normalization: black, as torchvision's RandomCrop before Normalize.</summary>
    Black,
}

/// <summary>Random changes of training pictures. What happens to a sample depends on seed, epoch and sample alone; turning one change on leaves the others' draws as they are.</summary>
public sealed record AugmentationOptions
{
    /// <summary>No changes.</summary>
    public static AugmentationOptions None { get; } = new();

    /// <summary>The usual changes of CIFAR pictures: cut anywhere from the picture padded by 4 pixels, mirrored half of the time.</summary>
    public static AugmentationOptions Cifar { get; } = new() { CropPadding = 4, Flip = true };

    /// <summary>Pixels added on each side before a piece of the picture's size is cut from anywhere, 0 to 1024. Default 0: no crop.</summary>
    public int CropPadding { get; init => field = Require.InRange(value, 0, 1024, nameof(CropPadding)); }

    /// <summary>What the crop adds. Default: the mean colour.</summary>
    public CropFill CropFill { get; init; }

    /// <summary>Whether pictures are mirrored left to right with probability 1/2. Default: no.</summary>
    public bool Flip { get; init; }

    /// <summary>Side in pixels of a square of the mean colour whose centre lies anywhere in the picture, 0 to 16384. Default 0: none.</summary>
    /// <remarks>DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017, arXiv:1708.04552.</remarks>
    public int CutoutSide { get; init => field = Require.InRange(value, 0, 16384, nameof(CutoutSide)); }

    /// <summary>Each batch is λ x + (1 - λ) x', where x' is the batch in another order and λ is drawn from Beta(MixupAlpha, MixupAlpha), 0 to 100. Default 0: not mixed.</summary>
    /// <remarks>Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2017, arXiv:1710.09412.</remarks>
    public double MixupAlpha { get; init => field = Require.InRange(value, 0, 100, nameof(MixupAlpha)); }
}
