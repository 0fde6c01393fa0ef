using System.Text;
using Fewbit.Data;

namespace Fewbit.Fuzzing.Data;

/// <summary>Mutated data files, by number: pictures, arrays, records, tables, settings.</summary>
internal sealed class DataCases : ICases
{
    private const int SamplesRead = 4;
    private static readonly DataSetOptions Options = new() { MaxArrayBytes = 16 << 20, Images = new() { MaxPixels = 4 << 20 } };
    private readonly int _seed;
    private readonly string _folder;

    public DataCases(int seed, string folder)
    {
        (_seed, _folder) = (seed, Directory.CreateDirectory(Path.Combine(folder, "data")).FullName);
        File.WriteAllBytes(Path.Combine(_folder, "picture.png"), PictureSeeds.Png(new Random(1), isValid: true));
    }

    public string Description => "PNG, JPEG, .npy, .npz, IDX (plain, gzip), CIFAR batches, JPEG packs, tables of labels, class names, preprocessing";

    public (string Name, byte[] Content) Create(long number)
    {
        var random = new Random(CaseSeed.Of(_seed ^ 0x5EED, number));
        // Half of the cases are wrong in what they say inside correct containers; the others in their bytes.
        bool isDeep = random.Next(2) == 0;
        (string name, byte[] content) = Seed(random, isDeep);
        return (name, isDeep && random.Next(4) > 0 ? content : ByteMutations.Apply(content, random, content));
    }

    private static (string, byte[]) Seed(Random random, bool isDeep)
    {
        switch (random.Next(13))
        {
            case 0 or 1: return ("case.png", PictureSeeds.Png(random, !isDeep));
            case 2 or 3: return ("case.jpg", isDeep ? JpegDamage.Apply(PictureSeeds.Jpeg(random), random) : PictureSeeds.Jpeg(random));
            case 4: return ("case.npy", ArraySeeds.Npy(random, !isDeep));
            case 5: return ("case.npz", ArraySeeds.Npz(random, !isDeep));
            case 6: return ("case-idx3-ubyte", ArraySeeds.Idx(random, !isDeep));
            case 7: return ("case-idx3-ubyte.gz", Zips.GZip(ArraySeeds.Idx(random, !isDeep)));
            case 8: return ("case.bin", ArraySeeds.Cifar(random));
            case 9: return ("case.bin", ArraySeeds.Pack(random));
            case 10: return ("case.csv", Encoding.UTF8.GetBytes(ArraySeeds.Csv(random)));
            case 11: return ("case.txt", Encoding.UTF8.GetBytes(ArraySeeds.Labels(random)));
            default: return ("case.json", Encoding.UTF8.GetBytes(ArraySeeds.Preprocessing(random)));
        }
    }

    public Outcome Run(string name, byte[] content, long number)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, content);
        string stage = "read";
        try
        {
            switch (Path.GetExtension(name))
            {
                case ".txt":
                    LabelMap.Read(path);
                    break;
                case ".json":
                    Preprocessing.Parse(path);
                    break;
                default:
                    DataSet data = DataSetReader.Open(path, Options);
                    stage = "decoded";
                    for (int i = 0; i < Math.Min(data.Count, SamplesRead); i++) data.Read(i);
                    break;
            }
            return Outcome.Accepted("accepted and read");
        }
#pragma warning disable CA1031 // Whatever is thrown is the outcome.
        catch (Exception e)
#pragma warning restore CA1031
        {
            // A table's pictures are files of their own, and so their messages begin.
            return Outcome.Of(e, stage, name == "case.csv" && stage == "decoded" ? "/" : path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
